package com.tencent.cloud.huiyansdkface.facelight.api.listeners;

import com.tencent.cloud.huiyansdkface.facelight.api.result.WbFaceVerifyResult;

public interface WbCloudFaceVerifyResultListener {
  void onFinish(WbFaceVerifyResult result);
}
