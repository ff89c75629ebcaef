import base64
import hashlib
import hmac
import json


class WebhookVerificationError(Exception):
    pass


class Webhook:
    def __init__(self, whsecret):
        self.key = base64.b64decode(whsecret.removeprefix("whsec_"))

    def verify(self, data, headers):
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{data}".encode()
        expected = "v1," + base64.b64encode(hmac.digest(self.key, signed, hashlib.sha256)).decode()
        if expected not in headers["webhook-signature"].split(" "):
            raise WebhookVerificationError("No matching signature found")
        return json.loads(data)
