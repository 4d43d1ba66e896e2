// Derives the colors of buttons and links from the color of the operator. Only the lightness changes, and only as far
// as needed: text reaches 4.5:1 on every ground, and a button or its edge 3:1 (WCAG 2.2 §1.4.3, §1.4.11).

/** Colors of one scheme, each `#rrggbb`. */
export interface BrandColors {
  /** Fill of buttons. */
  readonly act: string;
  /** Fill of a button under the pointer. */
  readonly actHover: string;
  /** Text on buttons: black or white. */
  readonly onAct: string;
  /** Edge of buttons. It differs from the fill where the fill alone is too close to the ground. */
  readonly actEdge: string;
  /** Links, and the ring around what has the focus. */
  readonly link: string;
}

/** The colors behind text and buttons. */
export interface Grounds {
  readonly scheme: 'light' | 'dark';
  /** Behind buttons. The first is the sheet, on which a tint of the link color also occurs. */
  readonly buttons: readonly [sheet: string, ...more: string[]];
  /** Behind links, in addition to those behind buttons. */
  readonly links: readonly string[];
}

/** Grounds of the pages; a test compares them with style.css. */
export const pageGrounds = {
  light: { scheme: 'light', buttons: ['#ffffff', '#f5f4f1'], links: ['#e8f4ec', '#fbeceb'] },
  dark: { scheme: 'dark', buttons: ['#1f1e1c', '#141413'], links: ['#17301f', '#3d1f1d'] },
} as const satisfies Readonly<Record<string, Grounds>>;

/** Grounds of the mails; a test compares them with style-sheet.ts. */
export const mailGrounds = {
  light: { scheme: 'light', buttons: ['#ffffff', '#f4f4f2'], links: [] },
  dark: { scheme: 'dark', buttons: ['#232321', '#161615'], links: [] },
} as const satisfies Readonly<Record<string, Grounds>>;

/** Share of the link color in the tint of the sheet: `--soft` of style.css. */
const tintShare = 0.09;
const textContrast = 4.5;
const edgeContrast = 3;
/** Links on dark grounds: thin light text needs more than the minimum to be read easily. */
const darkLinkContrast = 6;
/** Share of the brand in the lighter color from which links on dark grounds start. */
const darkLinkShare = 0.48;
/** Chroma from which a light fill stands out by its hue, so that its edge alone has to reach 3:1. */
const vividChroma = 0.1;
/** Chroma below which a color is a gray. */
const grayChroma = 0.03;
const hoverStep = 0.05;
const lightnessStep = 0.005;
const [black, white] = ['#000000', '#ffffff'];

/** OKLab: lightness from 0 to 1, and two axes of color. */
type Lab = readonly [lightness: number, a: number, b: number];
type Triple = readonly [number, number, number];

/** Returns the colors for a brand color, `#rrggbb`, on these grounds. */
export function brandColors(given: string, { scheme, buttons, links }: Grounds): BrandColors {
  const isDark = scheme === 'dark';
  const [sheet] = buttons;
  // A medium gray button looks disabled: black on a dark ground becomes white, and white on a light one black.
  const brand =
    chromaOf(toLab(given)) < grayChroma && contrast(given, sheet) < edgeContrast ? inverse(given) : given;
  const start = isDark ? mix(brand, white, darkLinkShare) : brand;
  const minLink = isDark ? darkLinkContrast : textContrast;
  const link = moved(start, isDark ? 1 : -1, (color) =>
    [...buttons, ...links, mix(color, sheet, tintShare)].every(
      (ground) => contrast(color, ground) >= minLink,
    ),
  );
  const grounds = [...buttons, mix(link, sheet, tintShare)];
  const hasEdge = (color: string): boolean =>
    grounds.every((ground) => contrast(color, ground) >= edgeContrast);
  const isFill = (color: string, label: string): boolean =>
    contrast(color, label) >= textContrast &&
    (hasEdge(color) || (label === black && chromaOf(toLab(color)) >= vividChroma));
  const [act, onAct] = fillOf(brand, isFill);
  const away = onAct === white ? -1 : 1;
  const actHover =
    [away, -away].map((sign) => shifted(act, sign * hoverStep)).find((color) => isFill(color, onAct)) ?? act;
  return { act, actHover, onAct, link, actEdge: moved(act, isDark ? 1 : -1, hasEdge) };
}

/** Returns the fill that is nearest to the brand color, with its label; white is preferred. */
function fillOf(
  brand: string,
  isFill: (color: string, label: string) => boolean,
): [fill: string, label: string] {
  for (let step = 0; step * lightnessStep <= 1; step += 1) {
    for (const label of [white, black])
      for (const sign of [1, -1]) {
        const color = step === 0 ? brand : shifted(brand, sign * step * lightnessStep);
        if (isFill(color, label)) return [color, label];
      }
  }
  return [black, white]; // cannot happen: a medium gray satisfies every pair of grounds above
}

/** Changes the lightness in one direction until the color is good. */
function moved(color: string, sign: 1 | -1, isGood: (color: string) => boolean): string {
  for (let step = 0; step * lightnessStep <= 1; step += 1) {
    const next = step === 0 ? color : shifted(color, sign * step * lightnessStep);
    if (isGood(next)) return next;
  }
  return sign === 1 ? white : black;
}

/** Changes the lightness of a color and keeps its hue; its chroma is reduced if the screen cannot show it. */
function shifted(color: string, by: number): string {
  const [lightness, a, b] = toLab(color);
  const target = Math.min(1, Math.max(0, lightness + by));
  let [low, high] = [0, 1];
  if (isShown(toLinear([target, a, b]))) low = 1;
  else
    for (let i = 0; i < 12; i += 1) {
      const middle = (low + high) / 2;
      if (isShown(toLinear([target, a * middle, b * middle]))) low = middle;
      else high = middle;
    }
  return toHex(toLinear([target, a * low, b * low]));
}

/** Returns the color with the opposite lightness. */
function inverse(color: string): string {
  return shifted(color, 1 - 2 * toLab(color)[0]);
}

/** Mixes two colors as `color-mix(in oklab, color share, other)` does. */
export function mix(color: string, other: string, share: number): string {
  const [one, two] = [toLab(color), toLab(other)];
  const at = (i: 0 | 1 | 2): number => one[i] * share + two[i] * (1 - share);
  return toHex(toLinear([at(0), at(1), at(2)]));
}

/** Returns the contrast of two colors, from 1 to 21 (WCAG 2.2, "contrast ratio"). */
export function contrast(one: string, other: string): number {
  const [a, b] = [luminance(one), luminance(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

function luminance(color: string): number {
  const [red, green, blue] = fromHex(color);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

const chromaOf = ([, a, b]: Lab): number => Math.hypot(a, b);

/** Linear red, green and blue from 0 to 1 of `#rrggbb` (sRGB, IEC 61966-2-1). */
function fromHex(color: string): Triple {
  const channel = (at: number): number => {
    const value = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return [channel(1), channel(3), channel(5)];
}

function toHex(linear: Triple): string {
  const bytes = linear.map((value) => {
    const shown = Math.min(1, Math.max(0, value));
    const encoded = shown <= 0.0031308 ? shown * 12.92 : 1.055 * shown ** (1 / 2.4) - 0.055;
    return Math.round(encoded * 255)
      .toString(16)
      .padStart(2, '0');
  });
  return `#${bytes.join('')}`;
}

const isShown = (linear: Triple): boolean => linear.every((value) => value >= -0.0005 && value <= 1.0005);

// The matrices of OKLab (CSS Color 4 §9.2).
function toLab(color: string): Lab {
  const [r, g, b] = fromHex(color);
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function toLinear([lightness, a, b]: Lab): Triple {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
}

/** Returns sentences about the colors that pages cannot use as they are; none if they can. */
export function brandNotes(brand: string): readonly string[] {
  return (['light', 'dark'] as const).flatMap((scheme) => {
    const { act, link, actEdge } = brandColors(brand, pageGrounds[scheme]);
    const changes = [
      ...(act === brand ? [] : [`buttons are ${act}`]),
      ...(actEdge === act ? [] : [`the edge of buttons is ${actEdge}`]),
      ...(link === brand ? [] : [`links are ${link}`]),
    ];
    return changes.length === 0
      ? []
      : [`${brand} is too close to the ${scheme} ground: ${changes.join(', ')}`];
  });
}
