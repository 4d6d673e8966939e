// Package cardea connects to cardd, the card-access daemon, over its Unix socket.
//
// The services are those of package cardeav1; this package adds the connection and readable errors.
package cardea

import (
	"context"
	"fmt"
	"io"
	"os"
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

// DefaultTimeout is the longest wait for an answer unless Dial is told otherwise.
const DefaultTimeout = time.Minute

// The reasons of an Error that cardd did not send: it does not answer at all, or not in time.
const (
	Unreachable = "DAEMON_UNREACHABLE"
	Deadline    = "DEADLINE"
)

// Option changes what Dial does.
type Option func(*limits)

// WithTimeout gives the longest wait for an answer.
func WithTimeout(timeout time.Duration) Option {
	return func(limits *limits) { limits.timeout = timeout }
}

// Dial connects to cardd. The target is one of gRPC's or the path of a Unix socket; "" is
// $CARDEA_SOCKET, or DefaultTarget. The kernel tells the daemon who calls, so there are no
// credentials to pass; the socket is local, so there is no TLS. Calls over the connection fail with
// an *Error where cardd says why.
//
// No answer takes longer than the timeout: not the one to a call whose context has no deadline, and
// none within a Session. A person who is asked for a PIN, and a run that connects, may take longer.
func Dial(target string, options ...Option) (*grpc.ClientConn, error) {
	limits := limits{timeout: DefaultTimeout}
	for _, set := range options {
		set(&limits)
	}
	return grpc.NewClient(resolved(target),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		// A Unix socket has no host name; HTTP/2 still wants an authority.
		grpc.WithAuthority("localhost"),
		grpc.WithChainUnaryInterceptor(explainUnary, limits.unary),
		grpc.WithChainStreamInterceptor(explainStream, limits.stream))
}

// resolved is the target as gRPC names it.
func resolved(target string) string {
	if target == "" {
		target = os.Getenv("CARDEA_SOCKET")
	}
	if target == "" {
		return DefaultTarget
	}
	if !strings.Contains(target, ":") {
		return "unix:" + target
	}
	return target
}

// Error is a call that cardd refused or could not do.
type Error struct {
	// Reason is the name of a cardeav1.ErrorReason without its prefix, such as "CARD_ABSENT", or
	// Unreachable or Deadline.
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
		switch received.Code() {
		case codes.Unavailable:
			known.Reason = Unreachable
		case codes.DeadlineExceeded:
			known.Reason = Deadline
		default:
			return err
		}
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
