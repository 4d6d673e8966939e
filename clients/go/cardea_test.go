package cardea_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	cardea "cardea.example/clients/go"
	pb "cardea.example/clients/go/cardeav1"
	"google.golang.org/grpc"
)

const (
	short = 300 * time.Millisecond
	// Within it a server on the same machine answers, however busy that is.
	ample = 2 * time.Second
)

// silent answers an opening and the first command of a session, and nothing else.
type silent struct {
	pb.UnimplementedCardServiceServer
	pb.UnimplementedManagementServiceServer
}

func (silent) GetCard(ctx context.Context, _ *pb.GetCardRequest) (*pb.GetCardResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (silent) VerifyPin(context.Context, *pb.VerifyPinRequest) (*pb.VerifyPinResponse, error) {
	time.Sleep(2 * short)
	return &pb.VerifyPinResponse{}, nil
}

func (silent) StartSession(
	context.Context, *pb.StartSessionRequest,
) (*pb.StartSessionResponse, error) {
	time.Sleep(2 * short)
	return &pb.StartSessionResponse{}, nil
}

func (silent) DeliverNotification(
	context.Context, *pb.DeliverNotificationRequest,
) (*pb.DeliverNotificationResponse, error) {
	time.Sleep(2 * short)
	return &pb.DeliverNotificationResponse{}, nil
}

func (silent) Session(stream grpc.BidiStreamingServer[pb.SessionRequest, pb.SessionResponse]) error {
	for range 2 {
		if _, err := stream.Recv(); err != nil {
			return err
		}
		if err := stream.Send(&pb.SessionResponse{}); err != nil {
			return err
		}
	}
	<-stream.Context().Done()
	return stream.Context().Err()
}

// dial a daemon that is silent, whose socket is in the environment as a path.
func dial(t *testing.T, timeout time.Duration) *grpc.ClientConn {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "cardd.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	pb.RegisterCardServiceServer(server, silent{})
	pb.RegisterManagementServiceServer(server, silent{})
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	t.Setenv("CARDEA_SOCKET", socket)
	connection, err := cardea.Dial("", cardea.WithTimeout(timeout))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return connection
}

func requireDeadline(t *testing.T, err error) {
	t.Helper()
	var failed *cardea.Error
	if !errors.As(err, &failed) || failed.Reason != cardea.Deadline {
		t.Fatalf("got %v, want %s", err, cardea.Deadline)
	}
}

func TestACallWithoutADeadlineEndsInTime(t *testing.T) {
	_, err := pb.NewCardServiceClient(dial(t, short)).GetCard(context.Background(), &pb.GetCardRequest{})
	requireDeadline(t, err)
}

func TestADeadlineOfTheCallersCounts(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := pb.NewCardServiceClient(dial(t, short)).VerifyPin(ctx, &pb.VerifyPinRequest{})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAPersonAndARunMayTakeLonger(t *testing.T) {
	connection := dial(t, short)
	agent := &pb.PinSource{Source: &pb.PinSource_Agent{Agent: &pb.PinPrompting{}}}
	_, err := pb.NewCardServiceClient(connection).
		VerifyPin(context.Background(), &pb.VerifyPinRequest{Source: agent})
	if err != nil {
		t.Fatal(err)
	}
	management := pb.NewManagementServiceClient(connection)
	_, err = management.StartSession(context.Background(), &pb.StartSessionRequest{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = management.DeliverNotification(context.Background(), &pb.DeliverNotificationRequest{})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnAnswerWithinASessionComesInTimeOrNotAtAll(t *testing.T) {
	session, err := pb.NewCardServiceClient(dial(t, ample)).Session(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	open := &pb.SessionRequest{Message: &pb.SessionRequest_Open{Open: &pb.SessionOpen{}}}
	command := &pb.SessionRequest{Message: &pb.SessionRequest_Command{Command: []byte{0, 0xA4, 0, 0}}}
	for _, request := range []*pb.SessionRequest{open, command} {
		time.Sleep(ample + short) // a pause of the program's own counts for nothing
		if err := session.Send(request); err != nil {
			t.Fatal(err)
		}
		if _, err := session.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	if err := session.Send(command); err != nil {
		t.Fatal(err)
	}
	_, err = session.Recv()
	requireDeadline(t, err)
}
