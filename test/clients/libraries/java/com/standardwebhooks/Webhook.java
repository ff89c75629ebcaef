package com.standardwebhooks;

import com.standardwebhooks.exceptions.WebhookVerificationException;
import java.net.http.HttpHeaders;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.Base64;
import java.util.List;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public final class Webhook {
  private final byte[] key;

  public Webhook(String secret) {
    key = Base64.getDecoder().decode(secret.replaceFirst("^whsec_", ""));
  }

  public void verify(String payload, HttpHeaders headers) throws WebhookVerificationException {
    String signed = value(headers, "webhook-id") + "." + value(headers, "webhook-timestamp") + "." + payload;
    if (!List.of(value(headers, "webhook-signature").split(" ")).contains("v1," + hmac(signed))) {
      throw new WebhookVerificationException("No matching signature found");
    }
  }

  private static String value(HttpHeaders headers, String name) {
    return headers.firstValue(name).orElse("");
  }

  private String hmac(String signed) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(key, "HmacSHA256"));
      return Base64.getEncoder().encodeToString(mac.doFinal(signed.getBytes(StandardCharsets.UTF_8)));
    } catch (GeneralSecurityException impossible) {
      throw new IllegalStateException(impossible);
    }
  }
}
