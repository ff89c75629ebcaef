package com.tencent.cloud.huiyansdkface.facelight.api.listeners;

import com.tencent.cloud.huiyansdkface.facelight.api.result.WbFaceError;

public interface WbCloudFaceVerifyLoginListener {
  void onLoginSuccess();

  void onLoginFailed(WbFaceError error);
}
