// Our own icons, as inline SVG in the color of the text.

/** Strokes on a grid of 24 by 24. */
const strokes = {
  person: 'M16 8a4 4 0 1 1-8 0 4 4 0 0 1 8 0zM4 21a8 8 0 0 1 16 0',
  card: 'M3 5h18v14H3zM11 10.5a2 2 0 1 1-4 0 2 2 0 0 1 4 0zM6 16a3 3 0 0 1 6 0M15 10h3M15 14h3',
  mail: 'M3 6h18v12H3zM3 7l9 6 9-6',
  lock: 'M5 11h14v9H5zM8 11V8a4 4 0 0 1 8 0v3',
  key: 'M12 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0zM12 12h9M18 12v3.5M21 12v2.5',
  phone: 'M7 3h10v18H7zM11 18h2',
  lifebuoy:
    'M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0zM16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0zM5.6 5.6l3.6 3.6M18.4 5.6l-3.6 3.6M5.6 18.4l3.6-3.6M18.4 18.4l-3.6-3.6',
  devices: 'M3 5h13v5M3 5v10h10M6 19h7M16 10h5v9h-5z',
  pulse: 'M2 12h4l3-8 5 16 3-8h5',
  download: 'M12 4v11M7 11l5 5 5-5M4 20h16',
  grid: 'M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h6v6h-6z',
  warning: 'M12 3.5 22 20H2zM12 10v4.5M12 17v.5',
  check: 'M4 12.5 9.5 18 20 6.5',
} as const;

export type IconName = keyof typeof strokes;

/** Returns an icon. Assistive technology ignores it, and reads the text next to it. */
export function icon(name: IconName): string {
  return `<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d="${strokes[name]}"/></svg>`;
}
