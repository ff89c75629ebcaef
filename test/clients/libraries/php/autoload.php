<?php
namespace StandardWebhooks\Exception {
    class WebhookVerificationException extends \Exception {}
}

namespace StandardWebhooks {
    class Webhook
    {
        private string $key;

        public function __construct(string $secret)
        {
            $this->key = base64_decode(substr($secret, strlen('whsec_')));
        }

        public function verify(string $payload, array $headers): array
        {
            $signed = "{$headers['webhook-id']}.{$headers['webhook-timestamp']}.$payload";
            $expected = 'v1,' . base64_encode(hash_hmac('sha256', $signed, $this->key, true));
            if (!in_array($expected, explode(' ', $headers['webhook-signature']), true)) {
                throw new Exception\WebhookVerificationException('No matching signature found');
            }
            return json_decode($payload, true);
        }
    }
}
