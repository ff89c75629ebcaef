import com.faceverification.v1.FaceVerificationServiceGrpc;
import com.faceverification.v1.FaceVerificationServiceGrpc.FaceVerificationServiceBlockingStub;
import com.faceverification.v1.GetFaceParamsRequest;
import com.faceverification.v1.GetFaceParamsResponse;
import com.faceverification.v1.GetResultRequest;
import com.faceverification.v1.GetResultResponse;
import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.concurrent.TimeUnit;

/** The two calls of a backend and the reason of an error: java Client HOST:PORT ORDER_NO */
public final class Client {
  /** What to branch on: the reason of google.rpc.ErrorInfo, or null where the call did not reach the service. */
  static String reasonOf(StatusRuntimeException error) throws InvalidProtocolBufferException {
    for (Any detail : StatusProto.fromThrowable(error).getDetailsList()) {
      if (detail.is(ErrorInfo.class)) return detail.unpack(ErrorInfo.class).getReason();
    }
    return null;
  }

  public static void main(String[] args) throws Exception {
    // With TLS: TlsChannelCredentials.create(). With a token: MetadataUtils.newAttachHeadersInterceptor.
    ManagedChannel channel = Grpc.newChannelBuilder(args[0], InsecureChannelCredentials.create()).build();
    try {
      FaceVerificationServiceBlockingStub client = FaceVerificationServiceGrpc.newBlockingStub(channel);

      GetFaceParamsResponse launch =
          client.withDeadlineAfter(10, TimeUnit.SECONDS)
              .getFaceParams(GetFaceParamsRequest.newBuilder().setName("张三").setIdNo("11010519491231002X").build());
      System.out.println("launch " + launch.getOrderNo().length() + " livemode " + launch.getLivemode());

      GetResultResponse result =
          client.withDeadlineAfter(10, TimeUnit.SECONDS)
              .getResult(GetResultRequest.newBuilder().setOrderNo(args[1]).build());
      System.out.println(result.getVerdict() + " similarity " + result.getSimilarity());

      client.withDeadlineAfter(10, TimeUnit.SECONDS).getResult(GetResultRequest.newBuilder().setOrderNo("?").build());
    } catch (StatusRuntimeException error) {
      System.out.println(error.getStatus().getCode() + " " + reasonOf(error));
    } finally {
      channel.shutdownNow();
    }
  }
}
