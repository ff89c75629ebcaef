/** A QR code as SVG, dark on white whatever the page's colours: scanners expect that. */
export async function qrSvg(text: string): Promise<string> {
  const { renderSVG } = await import("uqr");
  return renderSVG(text, { ecc: "M", border: 2 });
}

/** A QR code for a terminal, two modules per character. */
export async function qrText(text: string): Promise<string> {
  const { renderUnicodeCompact } = await import("uqr");
  return renderUnicodeCompact(text, { ecc: "L", border: 2 });
}
