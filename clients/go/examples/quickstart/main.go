// Quickstart lists the readers, reads the ICCID of every card in them, and waits for the next
// insertion.
//
//	go run ./examples/quickstart [-target /run/cardea/cardd.sock] [-watch=false]
//	go run ./examples/quickstart -card cards/8900101000000000019
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"strings"
	"time"

	cardea "cardea.example/clients/go"
	pb "cardea.example/clients/go/cardeav1"
	"google.golang.org/grpc"
)

func main() {
	log.SetFlags(0)
	target := flag.String("target", "", "where cardd listens, if not at $CARDEA_SOCKET")
	card := flag.String("card", "", "read this card only: cards/… or readers/…")
	watch := flag.Bool("watch", true, "wait for an insertion")
	limit := flag.Duration("limit", time.Minute, "longest wait for an insertion")
	flag.Parse()
	connection, err := cardea.Dial(*target)
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), *limit)
	defer cancel()
	switch {
	case *card != "":
		err = printICCID(ctx, connection, *card)
	case *watch:
		err = listAndAwait(ctx, connection)
	default:
		err = list(ctx, connection)
	}
	if err != nil {
		log.Fatal(err) // a *cardea.Error has reason, message and facts in one line
	}
}

func list(ctx context.Context, connection *grpc.ClientConn) error {
	answer, err := pb.NewReaderServiceClient(connection).ListReaders(ctx, &pb.ListReadersRequest{})
	if err != nil {
		return err
	}
	return printReaders(ctx, connection, answer.GetReaders())
}

// listAndAwait takes the list from the watch's snapshot: between a call of ListReaders and a watch
// an insertion would go unseen.
func listAndAwait(ctx context.Context, connection *grpc.ClientConn) error {
	events, err := pb.NewReaderServiceClient(connection).WatchReaders(ctx, &pb.WatchReadersRequest{})
	if err != nil {
		return err
	}
	present := map[string]string{} // card by reader
	for {
		event, err := events.Recv()
		if err != nil {
			return err
		}
		switch change := event.GetChange().(type) {
		case *pb.WatchReadersResponse_Snapshot:
			for _, reader := range change.Snapshot.GetReaders() {
				present[reader.GetName()] = reader.GetCard()
			}
			if err := printReaders(ctx, connection, change.Snapshot.GetReaders()); err != nil {
				return err
			}
			fmt.Println("watching")
		case *pb.WatchReadersResponse_Changed:
			// A reader also changes when somebody takes or leaves the card that is in it.
			reader, card := change.Changed.GetName(), change.Changed.GetCard()
			if card != "" && card != present[reader] {
				fmt.Printf("inserted %s\n", card)
				return printICCID(ctx, connection, card)
			}
			present[reader] = card
		case *pb.WatchReadersResponse_Removed:
			delete(present, change.Removed)
		}
	}
}

func printReaders(ctx context.Context, connection *grpc.ClientConn, readers []*pb.Reader) error {
	for _, reader := range readers {
		state := strings.TrimPrefix(reader.GetState().String(), "READER_STATE_")
		fmt.Printf("reader %s: %s\n", reader.GetPcscName(), state)
		if reader.GetCard() == "" {
			continue
		}
		if err := printICCID(ctx, connection, reader.GetCard()); err != nil {
			return err
		}
	}
	return nil
}

func printICCID(ctx context.Context, connection *grpc.ClientConn, card string) error {
	answer, err := pb.NewCardServiceClient(connection).ReadFile(ctx, &pb.ReadFileRequest{
		Name: card,
		File: &pb.FileRef{File: &pb.FileRef_Known{Known: "EF.ICCID"}},
	})
	if err != nil {
		return err
	}
	var decoded struct {
		ICCID string `json:"iccid"`
	}
	if err := json.Unmarshal([]byte(answer.GetContent().GetDecodedJson()), &decoded); err != nil {
		return fmt.Errorf("EF.ICCID is not decoded: % x", answer.GetContent().GetData())
	}
	fmt.Printf("ICCID %s\n", decoded.ICCID)
	return nil
}
