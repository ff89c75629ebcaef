/**
 * The URL if a person may be sent there: scheme, host and port are those of one of `prefixes`, and the path is its path or
 * below it, segment by segment. As browsers read it, so that neither `..` nor a backslash leads elsewhere. Undefined for
 * anything else.
 */
export function allowedReturnUrl(text: string, prefixes: readonly URL[]): URL | undefined {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol) || url.username + url.password !== "") return undefined;
  return prefixes.some((prefix) => isBelow(url, prefix)) ? url : undefined;
}

function isBelow(url: URL, prefix: URL): boolean {
  const path = prefix.pathname.replace(/\/+$/, "");
  return url.origin === prefix.origin && (url.pathname === path || url.pathname.startsWith(`${path}/`));
}

/** The URL with the link's id in its query, and the rest as it was. */
export function withLinkId(returnUrl: string, linkId: string): string {
  const url = new URL(returnUrl);
  if (url.searchParams.has("link_id")) url.searchParams.delete("link_id");
  url.search += `${url.search === "" ? "?" : "&"}link_id=${linkId}`;
  return url.href;
}
