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

/**
 * The identity upload for the basic edition's H5 and PC H5 pages; the other editions have one upload for app and browser.
 * The app id is spelled as clients of 2024 and later do (protocol.md 9).
 */
export const BASIC_WEB_UPLOAD = { path: "/api/server/h5/geth5faceid", appIdField: "appId" } as const;

/** How the launch of an H5 page names app id and faceId, per edition (protocol.md 9). */
export const WEB_LAUNCH: Readonly<
  Record<Edition, { appIdField: "appId" | "webankAppId"; faceIdField: "faceId" | "h5faceId" }>
> = {
  basic: { appIdField: "webankAppId", faceIdField: "h5faceId" },
  enhanced: { appIdField: "appId", faceIdField: "faceId" },
  plus: { appIdField: "appId", faceIdField: "faceId" },
};

/** Whether the edition has a page for the cameras of computers (protocol.md 9). */
export const hasPcPage = (edition: Edition): boolean => edition === "basic";
