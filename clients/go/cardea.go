// Package cardea connects to cardd, the card-access daemon, over its Unix socket.
//
// The services are those of package cardeav1; this package adds the connection and readable errors.
package cardea

import (
	"context"
	"fmt"
	"io"
	"sort"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// DefaultTarget is where cardd listens unless its configuration says otherwise.
const DefaultTarget = "unix:/run/cardea/cardd.sock"

// Unreachable is the reason of an Error that cardd did not send: it does not answer at all.
const Unreachable = "DAEMON_UNREACHABLE"

// Dial connects to cardd. The kernel tells the daemon who calls, so there are no credentials to
// pass; the socket is local, so there is no TLS. Calls over the connection fail with an *Error
// where cardd says why.
func Dial(target string) (*grpc.ClientConn, error) {
	return grpc.NewClient(target,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		// A Unix socket has no host name; HTTP/2 still wants an authority.
		grpc.WithAuthority("localhost"),
		grpc.WithUnaryInterceptor(explainUnary),
		grpc.WithStreamInterceptor(explainStream))
}

// Error is a call that cardd refused or could not do.
type Error struct {
	// Reason is the name of a cardeav1.ErrorReason without its prefix, such as "CARD_ABSENT", or
	// Unreachable.
	Reason string
	// Facts tell what it was about: reader, command, status_word, …
	Facts map[string]string
	// RetryAfter says when trying again can help; zero if it cannot.
	RetryAfter time.Duration
	// Status is the gRPC status as received.
	Status *status.Status
}

// Error gives the message and the facts in a fixed order.
func (e *Error) Error() string {
	facts := make([]string, 0, len(e.Facts))
	for name, value := range e.Facts {
		facts = append(facts, name+"="+value)
	}
	sort.Strings(facts)
	text := fmt.Sprintf("%s: %s", e.Reason, e.Status.Message())
	if len(facts) > 0 {
		text += " (" + strings.Join(facts, ", ") + ")"
	}
	return text
}

// GRPCStatus lets status.FromError and status.Code see through an Error.
func (e *Error) GRPCStatus() *status.Status { return e.Status }

// explain turns the error of a call into an *Error if it has a reason, and leaves it else.
func explain(err error) error {
	received, ok := status.FromError(err)
	if err == nil || err == io.EOF || !ok {
		return err
	}
	known := &Error{Status: received}
	for _, detail := range received.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.GetDomain() == "cardea" {
				known.Reason, known.Facts = detail.GetReason(), detail.GetMetadata()
			}
		case *errdetails.RetryInfo:
			known.RetryAfter = detail.GetRetryDelay().AsDuration()
		}
	}
	if known.Reason == "" {
		if received.Code() != codes.Unavailable {
			return err
		}
		known.Reason = Unreachable
	}
	return known
}

func explainUnary(
	ctx context.Context, method string, request, reply any, connection *grpc.ClientConn,
	invoke grpc.UnaryInvoker, options ...grpc.CallOption,
) error {
	return explain(invoke(ctx, method, request, reply, connection, options...))
}

func explainStream(
	ctx context.Context, description *grpc.StreamDesc, connection *grpc.ClientConn, method string,
	open grpc.Streamer, options ...grpc.CallOption,
) (grpc.ClientStream, error) {
	stream, err := open(ctx, description, connection, method, options...)
	if err != nil {
		return nil, explain(err)
	}
	return explained{stream}, nil
}

// explained is a stream whose errors are readable. SendMsg has none but io.EOF: why a stream ended
// is what RecvMsg tells.
type explained struct{ grpc.ClientStream }

func (s explained) RecvMsg(message any) error { return explain(s.ClientStream.RecvMsg(message)) }
