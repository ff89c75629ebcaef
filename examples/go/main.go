// The two calls of a backend and the reason of an error: go run . HOST:PORT ORDER_NO
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	faceverification "example.com/yours/gen/faceverification/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// reasonOf is what to branch on: the reason of google.rpc.ErrorInfo, or "" where the call did not reach the service.
func reasonOf(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.Reason
		}
	}
	return ""
}

func main() {
	address, orderNo := os.Args[1], os.Args[2]
	// With TLS: grpc.WithTransportCredentials(credentials.NewTLS(nil)).
	// With a token: metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer ...").
	connection, err := grpc.Dial(address, grpc.WithInsecure())
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	client := faceverification.NewFaceVerificationServiceClient(connection)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	launch, err := client.GetFaceParams(ctx, &faceverification.GetFaceParamsRequest{Name: "张三", IdNo: "11010519491231002X"})
	if err != nil {
		log.Fatal(reasonOf(err), err)
	}
	fmt.Println("launch", len(launch.OrderNo), "livemode", launch.Livemode)

	result, err := client.GetResult(ctx, &faceverification.GetResultRequest{OrderNo: orderNo})
	if err != nil {
		log.Fatal(reasonOf(err), err)
	}
	fmt.Println(result.Verdict, "similarity", result.GetSimilarity())

	_, err = client.GetResult(ctx, &faceverification.GetResultRequest{OrderNo: "?"})
	fmt.Println(status.Code(err), reasonOf(err))
}
