/** Colours of what is drawn at a terminal; none where they are not wanted (https://no-color.org). */
type Paint = (text: string) => string;

export interface Palette {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly cyan: Paint;
}

export const colours: Palette = {
  bold: sgr(1),
  dim: sgr(2),
  red: sgr(31),
  green: sgr(32),
  yellow: sgr(33),
  cyan: sgr(36),
};

export const noColours: Palette = {
  bold: plain,
  dim: plain,
  red: plain,
  green: plain,
  yellow: plain,
  cyan: plain,
};

export function paletteFor(output: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): Palette {
  const isWanted = output.isTTY === true && !env["NO_COLOR"] && env["TERM"] !== "dumb";
  return isWanted ? colours : noColours;
}

/** ECMA-48, Select Graphic Rendition. */
function sgr(code: number): Paint {
  return (text) => (text === "" ? "" : `\u001B[${code}m${text}\u001B[0m`);
}

function plain(text: string): string {
  return text;
}
