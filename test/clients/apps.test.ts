import { describe, expect, test } from "vitest";
import { GetFaceParamsResponseSchema } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { page, snippet } from "./page.ts";

const DOCUMENT = page("clients.md");
const snippets = (heading: string) => snippet(DOCUMENT, heading);

/** The fields of GetFaceParamsResponse that go to the SDK; the others are for the app itself. */
const FIELDS = GetFaceParamsResponseSchema.fields.map(({ name }) => name);
const FOR_THE_APP = ["start_before", "server_time", "livemode"];
const FOR_THE_SDK = FIELDS.filter((name) => !FOR_THE_APP.includes(name));

// The compilers of snippets.test.ts see neither a field's spelling nor two arguments of one type in each other's place.
describe("the snippets for apps name our fields, and the SDK's arguments in the order of protocol.md 7.1 and 7.2", () => {
  const ANDROID_ORDER = ["face_id", "order_no", "app_id", "version", "nonce", "user_id", "sign", "licence"];
  const rows = [...DOCUMENT.matchAll(/^\| `(\w+)` \| `(\w+)` \| `(\w+)` \|/gm)].map(([, ...cells]) => cells);

  test("the table maps every field for the SDK to the names of protocol.md 7.1 and 7.2", () => {
    expect(new Set(rows.map(([ours]) => ours))).toEqual(new Set(FOR_THE_SDK));
    expect(Object.fromEntries(rows.map(([ours, android]) => [android, ours]))).toEqual({
      faceId: "face_id",
      agreementNo: "order_no",
      openApiAppId: "app_id",
      openApiAppVersion: "version",
      openApiNonce: "nonce",
      openApiUserId: "user_id",
      openApiSign: "sign",
      keyLicence: "licence",
    });
  });

  test.each(["Kotlin", "Java"])(
    "Android in %s: the constructor's order, with the mode before the licence",
    (language) => {
      const heading = `### Android (${language}`;
      const constructor = /InputData\((.*?)\n {4}\)/s.exec(snippets(heading))?.[1] ?? "";
      const given = [...constructor.matchAll(/getString\("(\w+)"\)|(Mode\.GRADE)/g)].map(
        ([, field, mode]) => field ?? mode,
      );
      expect(given).toEqual([...ANDROID_ORDER.slice(0, 7), "Mode.GRADE", "licence"]);
    },
  );

  test("iOS: the selector's labels in order, each with its field", () => {
    const call = /initAdvanceSDK\((.*?)success:/s.exec(snippets("### iOS"))?.[1] ?? "";
    const given = [...call.matchAll(/(\w+): text\("(\w+)"\)/g)].map(([, label, field]) => [label, field]);
    expect(given).toEqual([
      ["withUserId", "user_id"],
      ["nonce", "nonce"],
      ["sign", "sign"],
      ["appid", "app_id"],
      ["orderNo", "order_no"],
      ["apiVersion", "version"],
      ["licence", "licence"],
      ["faceId", "face_id"],
    ]);
  });

  test.each(["### Android (Kotlin", "### iOS", "### HarmonyOS", "### uni-app"])(
    "%s names no field that does not exist",
    (heading) => {
      const code = snippets(heading);
      const used = [...code.matchAll(/\bp\.([a-z_]+)\b|(?:\bp\.getString|\btext)\("(\w+)"\)/g)]
        .map(([, member, named]) => member ?? named ?? "")
        .filter((field) => field !== "get");
      expect(used.length).toBeGreaterThan(2);
      expect(used.filter((field) => !FIELDS.includes(field))).toEqual([]);
      const sent = [...code.matchAll(/\b(id_no|name|order_no)\b/g)].map(([field]) => field);
      expect(sent).toContain("id_no");
    },
  );
});
