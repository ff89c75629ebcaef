package com.tencent.cloud.huiyansdkface.facelight.process;

public class FaceVerifyStatus {
  public enum Mode {
    GRADE
  }
}
