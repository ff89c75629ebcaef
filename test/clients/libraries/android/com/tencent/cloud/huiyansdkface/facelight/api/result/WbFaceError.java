package com.tencent.cloud.huiyansdkface.facelight.api.result;

public class WbFaceError {
  public String getDomain() {
    return "";
  }

  public String getCode() {
    return "";
  }

  public String getDesc() {
    return "";
  }

  public String getReason() {
    return "";
  }
}
