/** The vendor's editions; SDK, path and contract must agree on one (protocol.md 4.1). */
export type Edition = "basic" | "enhanced" | "plus";

/** The spelling of the app id in token and ticket queries; never both (protocol.md 0.3). */
export type TokenParam = "app_id" | "appId";

/** Path and body field of the identity upload, per edition (protocol.md 4.1). */
export const UPLOAD: Readonly<Record<Edition, { path: string; appIdField: "appId" | "webankAppId" }>> = {
  basic: { path: "/api/server/getfaceid", appIdField: "webankAppId" },
  enhanced: { path: "/api/server/getAdvFaceId", appIdField: "appId" },
  plus: { path: "/api/server/getPlusFaceId", appIdField: "appId" },
};
