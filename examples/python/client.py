"""The two calls of a backend and the reason of an error: python3 client.py HOST:PORT ORDER_NO"""

import sys

import grpc
from faceverification.v1 import face_verification_service_pb2 as messages
from faceverification.v1.face_verification_service_pb2_grpc import FaceVerificationServiceStub
from faceverification.v1.verdict_pb2 import Verdict
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

SECONDS = 10


def reason_of(error):
    """What to branch on: the reason of google.rpc.ErrorInfo, or None where the call did not reach the service."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in Status.FromString(value).details:
                info = ErrorInfo()
                if detail.Unpack(info):
                    return info.reason
    return None


address, order_no = sys.argv[1:]
# With TLS: grpc.secure_channel(address, grpc.ssl_channel_credentials()).
# With a token: metadata=[("authorization", "Bearer ...")] in each call.
with grpc.insecure_channel(address) as channel:
    client = FaceVerificationServiceStub(channel)
    person = messages.GetFaceParamsRequest(name="张三", id_no="11010519491231002X")
    launch = client.GetFaceParams(person, timeout=SECONDS)
    print("launch", len(launch.order_no), "livemode", str(launch.livemode).lower())

    result = client.GetResult(messages.GetResultRequest(order_no=order_no), timeout=SECONDS)
    print(Verdict.Name(result.verdict), "similarity", result.similarity)

    try:
        client.GetResult(messages.GetResultRequest(order_no="?"), timeout=SECONDS)
    except grpc.RpcError as error:
        print(error.code().name, reason_of(error))
