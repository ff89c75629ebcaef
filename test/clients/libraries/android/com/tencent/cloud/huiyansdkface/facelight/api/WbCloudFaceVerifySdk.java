package com.tencent.cloud.huiyansdkface.facelight.api;

import android.content.Context;
import android.os.Bundle;
import com.tencent.cloud.huiyansdkface.facelight.api.listeners.WbCloudFaceVerifyLoginListener;
import com.tencent.cloud.huiyansdkface.facelight.api.listeners.WbCloudFaceVerifyResultListener;
import com.tencent.cloud.huiyansdkface.facelight.process.FaceVerifyStatus;
import java.io.Serializable;

public class WbCloudFaceVerifySdk {
  public static class InputData implements Serializable {
    public InputData(
        String faceId,
        String agreementNo,
        String openApiAppId,
        String openApiAppVersion,
        String openApiNonce,
        String openApiUserId,
        String openApiSign,
        FaceVerifyStatus.Mode verifyMode,
        String keyLicence) {}
  }

  public static WbCloudFaceVerifySdk getInstance() {
    return new WbCloudFaceVerifySdk();
  }

  public void initSdk(Context context, Bundle data, WbCloudFaceVerifyLoginListener listener) {}

  public void initAdvSdk(Context context, Bundle data, WbCloudFaceVerifyLoginListener listener) {}

  public void startWbFaceVerifySdk(Context context, WbCloudFaceVerifyResultListener listener) {}

  public void release() {}
}
