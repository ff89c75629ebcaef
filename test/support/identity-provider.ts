import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from "jose";

export const ISSUER = "https://login.example";
export const AUDIENCE = "face";

/** An identity provider: its keys over HTTP, and tokens it signs. */
export async function startProvider() {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const stranger = await generateKeyPair("ES256");
  const jwk = { ...(await exportJWK(publicKey)), kid: "k1", alg: "ES256", use: "sig" };
  let down = false;
  let fetches = 0;
  const server = createServer((_request, response) => {
    fetches++;
    response.writeHead(down ? 500 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify({ keys: [jwk] }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const sign = (claims: JWTPayload, key = privateKey, kid = "k1") =>
    new SignJWT({ iss: ISSUER, aud: AUDIENCE, exp: Math.floor(Date.now() / 1000) + 600, ...claims })
      .setProtectedHeader({ alg: "ES256", kid })
      .sign(key);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`,
    sign,
    forged: (claims: JWTPayload) => sign(claims, stranger.privateKey),
    unsigned: (claims: JWTPayload) =>
      new UnsecuredJWT({ ...claims })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setExpirationTime("10m")
        .encode(),
    /** The public key as an HMAC secret: what a careless verifier takes for a signature. */
    confused: (claims: JWTPayload) =>
      new SignJWT({ iss: ISSUER, aud: AUDIENCE, exp: Math.floor(Date.now() / 1000) + 600, ...claims })
        .setProtectedHeader({ alg: "HS256", kid: "k1" })
        .sign(Buffer.from(JSON.stringify(jwk))),
    fail: () => {
      down = true;
    },
    fetches: () => fetches,
    stop: () => new Promise((resolve) => server.close(resolve)),
  };
}
