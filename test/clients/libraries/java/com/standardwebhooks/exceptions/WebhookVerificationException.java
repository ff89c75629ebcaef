package com.standardwebhooks.exceptions;

public class WebhookVerificationException extends Exception {
  public WebhookVerificationException(String message) {
    super(message);
  }
}
