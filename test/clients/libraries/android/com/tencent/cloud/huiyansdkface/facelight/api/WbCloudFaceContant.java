package com.tencent.cloud.huiyansdkface.facelight.api;

public class WbCloudFaceContant {
  public static final String INPUT_DATA = "";
}
