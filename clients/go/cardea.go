// Package cardea connects to cardd, the card-access daemon, over its Unix socket.
//
// The services are those of package cardeav1; this package adds the connection and readable errors.
package cardea

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// DefaultTarget is where cardd listens unless its configuration says otherwise.
const DefaultTarget = "unix:/run/cardea/cardd.sock"

// Dial connects to cardd. The kernel tells the daemon who calls, so there are no credentials to
// pass; the socket is local, so there is no TLS.
func Dial(target string) (*grpc.ClientConn, error) {
	return grpc.NewClient(target,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		// A Unix socket has no host name; HTTP/2 still wants an authority.
		grpc.WithAuthority("localhost"))
}

// Error is a call that cardd refused or could not do.
type Error struct {
	// Reason is the name of a cardeav1.ErrorReason without its prefix, such as "CARD_ABSENT".
	Reason string
	// Facts tell what it was about: reader, command, status_word, …
	Facts map[string]string
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

// GRPCStatus lets status.FromError see through an Error.
func (e *Error) GRPCStatus() *status.Status { return e.Status }

// AsError turns an error of a call into an *Error if cardd sent it with a reason.
func AsError(err error) (*Error, bool) {
	var known *Error
	if errors.As(err, &known) {
		return known, true
	}
	received, ok := status.FromError(err)
	if !ok {
		return nil, false
	}
	for _, detail := range received.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.Domain == "cardea" {
			return &Error{Reason: info.Reason, Facts: info.Metadata, Status: received}, true
		}
	}
	return nil, false
}
