// Quickstart lists the readers, reads the ICCID of the card in the first reader that holds one, and
// waits for the next insertion.
//
//	go run ./examples/quickstart [-target unix:/run/cardea/cardd.sock] [-watch=false]
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"time"

	cardea "cardea.example/clients/go"
	pb "cardea.example/clients/go/cardeav1"
	"google.golang.org/grpc"
)

func main() {
	log.SetFlags(0)
	target := flag.String("target", cardea.DefaultTarget, "where cardd listens")
	watch := flag.Bool("watch", true, "wait for an insertion")
	limit := flag.Duration("limit", 30*time.Second, "longest wait for an insertion")
	flag.Parse()
	connection, err := cardea.Dial(*target)
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	if err := run(connection, *watch, *limit); err != nil {
		if known, ok := cardea.AsError(err); ok {
			log.Fatal(known)
		}
		log.Fatal(err)
	}
}

func run(connection *grpc.ClientConn, watch bool, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	readers := pb.NewReaderServiceClient(connection)
	list, err := readers.ListReaders(ctx, &pb.ListReadersRequest{})
	if err != nil {
		return err
	}
	for _, reader := range list.GetReaders() {
		fmt.Printf("reader %s: %s\n", reader.GetPcscName(), reader.GetState())
		if reader.GetCard() != "" {
			if err := printICCID(ctx, connection, reader.GetCard()); err != nil {
				return err
			}
		}
	}
	if !watch {
		return nil
	}
	return awaitInsertion(ctx, connection, readers)
}

// awaitInsertion prints the card that comes next into any reader.
func awaitInsertion(
	ctx context.Context, connection *grpc.ClientConn, readers pb.ReaderServiceClient,
) error {
	events, err := readers.WatchReaders(ctx, &pb.WatchReadersRequest{})
	if err != nil {
		return err
	}
	for {
		event, err := events.Recv()
		if err != nil {
			return err
		}
		if event.GetSnapshot() != nil {
			fmt.Println("watching")
		}
		if changed := event.GetChanged(); changed.GetCard() != "" {
			fmt.Printf("inserted %s\n", changed.GetCard())
			return printICCID(ctx, connection, changed.GetCard())
		}
	}
}

func printICCID(ctx context.Context, connection *grpc.ClientConn, card string) error {
	answer, err := pb.NewCardServiceClient(connection).ReadFile(ctx, &pb.ReadFileRequest{
		Name: card,
		File: &pb.FileRef{File: &pb.FileRef_Known{Known: "EF.ICCID"}},
	})
	if err != nil {
		return err
	}
	fmt.Printf("ICCID %s\n", answer.GetContent().GetDecodedJson())
	return nil
}
