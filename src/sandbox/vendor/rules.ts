/** One vendor rule, and the response to breaking it. */
export interface Rule {
  /** The vendor's code; null if the vendor is not known to refuse, so that a breach is only recorded. */
  code: string | null;
  /** Refused even if `strict` is off: identity, credentials, signatures, rates. */
  always?: true;
  /** What was wrong. Never a value. */
  text: string;
  /** The rule's section in protocol.md; "own" where the vendor leaves it open and the sandbox decides. */
  source: string;
}

/**
 * The rules by their stable names. Where the vendor publishes no code for a malformed call, the sandbox
 * answers 400104 to the token call, 400103 to ticket calls ("check the request parameters") and 400101
 * ("illegal request") elsewhere.
 */
export const RULES = {
  // Token and ticket calls.
  unknown_parameter: { code: null, text: "a parameter that the call does not have", source: "1 to 6" },
  duplicate_parameter: { code: "400103", text: "a query parameter was sent twice", source: "own" },
  app_id_both_names: { code: "400103", text: "app_id and appId were both sent", source: "0.3" },
  app_id_unknown: { code: "66660001", always: true, text: "app id missing or unknown", source: "8.2" },
  version_wrong: { code: "400502", text: "version is not 1.0.0", source: "1, 8.2" },
  grant_type_wrong: { code: "400104", text: "grant_type is not client_credential", source: "1" },
  token_call_empty: { code: "400101", always: true, text: "a token call without parameters", source: "own" },
  secret_wrong: { code: "400104", always: true, text: "the secret is wrong", source: "8.2" },
  overlapping_refresh: { code: null, text: "a token call while another was in flight", source: "1" },
  overlapping_sign_ticket: {
    code: null,
    text: "a SIGN ticket call while another was in flight",
    source: "2",
  },
  ticket_type_wrong: { code: "400103", always: true, text: "type is not SIGN or NONCE", source: "2, 3" },
  token_unknown: { code: "400103", always: true, text: "this access token was never issued", source: "8.2" },
  token_dead: { code: "400103", always: true, text: "the access token has died", source: "1" },
  nonce_too_frequent: {
    code: "400504",
    always: true,
    text: "a second NONCE ticket for one user within 2 s",
    source: "3, 8.2",
  },
  ticket_user_id_format: { code: "400103", text: "user_id is not 1 to 32 letters and digits", source: "3" },
  // Bodies.
  method_wrong: { code: null, text: "the path exists, the method is another one", source: "1 to 6" },
  content_type_wrong: { code: "400101", text: "the content type is not JSON in UTF-8", source: "4.2, 12" },
  body_not_json: { code: "400101", always: true, text: "the body is not a JSON object", source: "4.2" },
  body_too_large: { code: "400601", always: true, text: "the body is larger than 2 MB", source: "8.2" },
  field_not_text: { code: "400101", text: "a field is not a string", source: "4.2, 6.1" },
  app_id_field_wrong: {
    code: "66660001",
    text: "the app id has another edition's field name",
    source: "4.1",
  },
  edition_not_entitled: {
    code: "66660030",
    always: true,
    text: "the app id is not entitled to this edition",
    source: "4.1",
  },
  order_no_format: { code: "400101", text: "order number is not 1 to 32 letters and digits", source: "4.2" },
  order_no_not_in_query: { code: "400101", text: "?orderNo= is missing", source: "4.2, 6.1" },
  order_no_differs: { code: "400101", text: "?orderNo= and the body's orderNo differ", source: "4.2" },
  order_no_reused: { code: "400101", text: "an order number came a second time", source: "4.2, 4.4" },
  user_id_format: { code: "400101", text: "user id is not 1 to 32 letters and digits", source: "4.2" },
  nonce_format: { code: "400101", text: "nonce is not 32 letters and digits", source: "5" },
  nonce_reused: { code: "400101", text: "a nonce came a second time", source: "5, own" },
  sign_format: { code: "400101", always: true, text: "sign is not 40 hexadecimal digits", source: "5" },
  signature_wrong: { code: "400101", always: true, text: "the signature fits no ticket", source: "5.1" },
  sign_ticket_dead: {
    code: "400101",
    always: true,
    text: "signed with a SIGN ticket that has died",
    source: "2",
  },
  ticket_kind_wrong: {
    code: "400101",
    always: true,
    text: "signed with the other kind of ticket",
    source: "5.1",
  },
  identity_invalid: {
    code: "66660015",
    always: true,
    text: "name or ID number is not valid",
    source: "10.3, 10.4",
  },
  photo_type_wrong: { code: "400101", text: "sourcePhotoType is not 1 or 2", source: "4.2" },
  photo_type_without_photo: { code: "400101", text: "sourcePhotoType without sourcePhotoStr", source: "4.2" },
  photo_encoding_wrong: {
    code: "66660039",
    text: "photo is not plain Base64 (line breaks, data: prefix, padding)",
    source: "4.2",
  },
  photo_format_wrong: { code: "66660039", text: "photo is not JPG, PNG or BMP", source: "4.2" },
  photo_too_large: { code: "400601", always: true, text: "photo is larger than 500 KB", source: "4.2, 8.2" },
  get_file_format: { code: "400101", text: "getFile is longer than one character", source: "6.1" },
  query_version_format: { code: "400101", text: "queryVersion is longer than 8 characters", source: "6.1" },
  // The start of the SDK.
  nonce_ticket_used: {
    code: "400101",
    always: true,
    text: "the NONCE ticket was burnt by an earlier launch",
    source: "3",
  },
  launch_signed_with_sign_ticket: {
    code: "400101",
    text: "the launch is signed with the SIGN ticket",
    source: "5.1, 11",
  },
  nonce_ticket_dead: {
    code: "400101",
    always: true,
    text: "signed with a NONCE ticket that has died",
    source: "3",
  },
  nonce_ticket_of_other_user: {
    code: "400101",
    always: true,
    text: "signed with another user's NONCE ticket",
    source: "3",
  },
  user_id_differs: {
    code: "400101",
    always: true,
    text: "launch and upload name different users",
    source: "4.2",
  },
  face_id_unknown: { code: "66660018", always: true, text: "this faceId was never issued", source: "8.2" },
  face_id_expired: { code: "66660018", always: true, text: "the faceId is older than 5 min", source: "4.3" },
  face_id_used: { code: "66660018", always: true, text: "the faceId already has a result", source: "4.3" },
  face_id_of_other_order: {
    code: "66660018",
    always: true,
    text: "the faceId belongs to another order",
    source: "7.1",
  },
  // The start of an H5 page.
  face_id_of_other_channel: {
    code: "66660018",
    text: "the identity was uploaded for the app and is launched in a browser, or the other way round",
    source: "9",
  },
  face_id_field_wrong: {
    code: "66660018",
    text: "the faceId has another edition's parameter name",
    source: "9",
  },
  pc_page_wrong: { code: "66660030", text: "the PC page is the basic edition's only", source: "9" },
  callback_url_wrong: {
    code: "400101",
    text: "url is not a complete http or https URL without query, or is encoded twice",
    source: "9",
  },
  from_wrong: { code: null, text: "from is not browser or App", source: "9" },
} as const satisfies Record<string, Rule>;

export type RuleName = keyof typeof RULES;
