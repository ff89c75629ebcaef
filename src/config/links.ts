import { type EnvironmentReader, isLoopback } from "../lib/environment.ts";

/** Verification links. */
export interface LinksConfig {
  /** Base URL at which browsers reach the public listener, without a trailing slash. */
  publicUrl: string;
  /** Prefixes of the URLs to which people may be sent at the end, as `allowedReturnUrl` compares them. */
  returnUrls: readonly URL[];
}

/** PUBLIC_URL and LINK_RETURN_URLS; undefined without PUBLIC_URL. Problems are added to the reader's. */
export function readLinks(read: EnvironmentReader): LinksConfig | undefined {
  const publicUrl = read.baseUrl("PUBLIC_URL", "");
  if (publicUrl !== "" && !isPlain(URL.parse(publicUrl))) {
    read.problems.push("PUBLIC_URL: must be an http or https URL without user, password and query");
  }
  const returnUrls = readReturnUrls(read);
  if (publicUrl !== "") return { publicUrl, returnUrls };
  if (read.has("LINK_RETURN_URLS") && !read.has("PUBLIC_URL")) {
    read.problems.push("LINK_RETURN_URLS: needs links; set PUBLIC_URL");
  }
  return undefined;
}

function readReturnUrls(read: EnvironmentReader): URL[] {
  const urls = (read.text("LINK_RETURN_URLS") ?? "").split(/[\s,]+/).filter((entry) => entry !== "");
  return urls.flatMap((text, i) => {
    const url = URL.parse(text);
    if (url && isPlain(url)) return [url];
    // Not quoted: it may contain a password.
    read.problems.push(
      `LINK_RETURN_URLS: entry ${i + 1} must be an http or https URL without user, password, query and fragment`,
    );
    return [];
  });
}

const isPlain = (url: URL | null): boolean =>
  url !== null &&
  /^https?:$/.test(url.protocol) &&
  url.username + url.password + url.search + url.hash === "";

/** The first prefix that is reached in cleartext over a network; undefined if there is none. */
export const exposedReturnUrl = (links: LinksConfig | undefined): string | undefined =>
  links?.returnUrls.find(({ protocol, hostname }) => protocol === "http:" && !isLoopback(hostname))?.href;
