// Formats Markdown tables, padded to read well in a terminal too.

export type Cell = string | number;

/** Formats a number with three significant digits. */
export function show(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '-';
  if (value >= 1000) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(3)));
}

/** Formats a table with a head; numbers are aligned to the right. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const isNumber = head.map(
    (_, column) => column > 0 && rows.every((row) => typeof row[column] === 'number'),
  );
  const texts = [head, ...rows].map((row) =>
    row.map((cell) => (typeof cell === 'number' ? show(cell) : cell)),
  );
  const widths = head.map((_, column) => Math.max(3, ...texts.map((row) => (row[column] ?? '').length)));
  const pad = (row: readonly string[]): string[] =>
    row.map((cell, column) =>
      isNumber[column] === true ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
    );
  const rule = widths.map((width, column) =>
    isNumber[column] === true ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width),
  );
  const [first = [], ...others] = texts;
  return [line(pad(first)), line(rule), ...others.map((row) => line(pad(row)))].join('\n');
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}
