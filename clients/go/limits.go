package cardea

import (
	"context"
	"sync"
	"time"

	"cardea.example/clients/go/cardeav1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// How long cardd waits for a person: unless it is told, and at most.
const (
	personWait    = time.Minute
	personMaxWait = 5 * time.Minute
)

// Calls that take as long as card, server and people do.
var unlimited = map[string]bool{
	cardeav1.ManagementService_StartSession_FullMethodName:        true,
	cardeav1.ManagementService_DeliverNotification_FullMethodName: true,
}

// limits see to it that no answer is waited for without an end.
type limits struct{ timeout time.Duration }

func (l limits) unary(
	ctx context.Context, method string, request, reply any, connection *grpc.ClientConn,
	invoke grpc.UnaryInvoker, options ...grpc.CallOption,
) error {
	if _, chosen := ctx.Deadline(); !chosen && !unlimited[method] {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.timeout+wait(request))
		defer cancel()
	}
	return invoke(ctx, method, request, reply, connection, options...)
}

// wait is how much longer than cardd itself a person may take whom a call asks for a PIN.
func wait(request any) time.Duration {
	var pin *cardeav1.PinSource
	switch request := request.(type) {
	case interface{ GetSource() *cardeav1.PinSource }:
		pin = request.GetSource()
	case interface{ GetPin() *cardeav1.PinSource }:
		pin = request.GetPin()
	}
	switch agent := pin.GetAgent(); {
	case agent == nil:
		return 0
	case agent.GetMaxWait() == nil:
		return personWait
	default:
		return min(agent.GetMaxWait().AsDuration(), personMaxWait)
	}
}

func (l limits) stream(
	ctx context.Context, description *grpc.StreamDesc, connection *grpc.ClientConn, method string,
	open grpc.Streamer, options ...grpc.CallOption,
) (grpc.ClientStream, error) {
	if method != cardeav1.CardService_Session_FullMethodName {
		return open(ctx, description, connection, method, options...)
	}
	ctx, cancel := context.WithCancel(ctx)
	stream, err := open(ctx, description, connection, method, options...)
	if err != nil {
		cancel()
		return nil, err
	}
	return &session{ClientStream: stream, timeout: l.timeout, cancel: cancel}, nil
}

// session is a stream on which every message of ours is owed an answer in time.
type session struct {
	grpc.ClientStream
	timeout time.Duration
	cancel  context.CancelFunc

	mutex   sync.Mutex
	owed    int
	timer   *time.Timer
	overdue bool
}

func (s *session) SendMsg(message any) error {
	limit := s.timeout
	if request, ok := message.(*cardeav1.SessionRequest); ok {
		limit += request.GetOpen().GetMaxWait().AsDuration()
	}
	s.count(1, limit)
	return s.ClientStream.SendMsg(message)
}

func (s *session) RecvMsg(message any) error {
	if err := s.ClientStream.RecvMsg(message); err != nil {
		s.cancel()
		if s.end() {
			return status.Errorf(codes.DeadlineExceeded, "cardd has not answered within %v", s.timeout)
		}
		return err
	}
	if answer, ok := message.(*cardeav1.SessionResponse); !ok || answer.GetNotice() == nil {
		s.count(-1, s.timeout)
	}
	return nil
}

// count so many answers more that are owed, the next of them within the limit.
func (s *session) count(answers int, limit time.Duration) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.owed += answers
	if s.timer != nil {
		s.timer.Stop()
	}
	if s.owed > 0 {
		s.timer = time.AfterFunc(limit, s.giveUp)
	}
}

func (s *session) giveUp() {
	s.mutex.Lock()
	s.overdue = true
	s.mutex.Unlock()
	s.cancel()
}

// end the count; whether it was by its limit that the stream ended.
func (s *session) end() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.timer != nil {
		s.timer.Stop()
	}
	return s.overdue
}
