// The style sheet of mails.
import { brandColors, mailGrounds } from '../brand/color.ts';

/**
 * CSS of every mail, without the color of the operator. It is part of the HTML, because mail clients load no style
 * sheets.
 */
export const styleSheet = `
body {
  margin: 0;
  padding: 24px 16px;
  background: #f4f4f2;
  color: #1c1c1a;
  font:
    16px/1.5 system-ui,
    -apple-system,
    'Segoe UI',
    Roboto,
    sans-serif;
}
main {
  max-width: 480px;
  margin: 0 auto;
  padding: 32px;
  background: #ffffff;
  border-radius: 12px;
}
h1 {
  margin: 0 0 16px;
  font-size: 20px;
  line-height: 1.3;
}
p {
  margin: 0 0 16px;
  overflow-wrap: anywhere;
}
main > :last-child {
  margin-bottom: 0;
}
.act {
  display: inline-block;
  padding: 12px 20px;
  border: 1px solid transparent;
  border-radius: 8px;
  font-weight: 600;
  text-decoration: none;
}
.address,
.note,
footer {
  font-size: 13px;
  color: #62625c;
}
.address {
  word-break: break-all;
}
.note {
  margin-bottom: 4px;
}
.note + p:not(.note) {
  margin-top: 20px;
}
.code {
  font:
    600 24px/1.4 ui-monospace,
    'SF Mono',
    Menlo,
    Consolas,
    monospace;
  letter-spacing: 2px;
}
footer {
  max-width: 480px;
  margin: 16px auto 0;
  padding: 0 32px;
}
@media (max-width: 480px) {
  main {
    padding: 24px;
  }
  footer {
    padding: 0 24px;
  }
}
@media (prefers-color-scheme: dark) {
  body {
    background: #161615;
    color: #ececea;
  }
  main {
    background: #232321;
  }
  .address,
  .note,
  footer {
    color: #a5a59d;
  }
  main > img {
    padding: 8px;
    background: #ffffff;
    border-radius: 8px;
  }
}
`;

const buttons = new Map<string, string>();

/** Returns the CSS of the buttons in the color of the operator, for light and dark mails. */
export function buttonStyle(color: string): string {
  let style = buttons.get(color);
  if (style === undefined) {
    const rule = (scheme: keyof typeof mailGrounds): string => {
      const { act, onAct, actEdge } = brandColors(color, mailGrounds[scheme]);
      return `.act { background: ${act}; border-color: ${actEdge}; color: ${onAct}; }`;
    };
    style = `${rule('light')}\n@media (prefers-color-scheme: dark) { ${rule('dark')} }`;
    buttons.set(color, style);
  }
  return style;
}
