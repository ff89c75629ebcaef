package com.tencent.cloud.huiyansdkface.facelight.api.result;

public class WbFaceVerifyResult {
  public boolean isSuccess() {
    return false;
  }

  public WbFaceError getError() {
    return new WbFaceError();
  }
}
