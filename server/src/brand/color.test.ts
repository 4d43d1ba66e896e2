import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { styleSheet } from '../mail/style-sheet.ts';
import { brandColors, brandNotes, contrast, mailGrounds, mix, pageGrounds, type Grounds } from './color.ts';

const css = readFileSync(new URL('../../assets/style.css', import.meta.url), 'utf8');
const named = [
  '#ffd400',
  '#000000',
  '#ff7a00',
  '#008080',
  '#1a56c4',
  '#ffffff',
  '#ffe0e8',
  '#000080',
  '#808080',
];
const levels = ['00', '33', '66', '99', 'cc', 'ff'];
const grid = levels.flatMap((r) => levels.flatMap((g) => levels.map((b) => `#${r}${g}${b}`)));
const all: readonly (readonly [name: string, grounds: Grounds])[] = [
  ['light pages', pageGrounds.light],
  ['dark pages', pageGrounds.dark],
  ['light mails', mailGrounds.light],
  ['dark mails', mailGrounds.dark],
];

/** Returns what cannot be read or seen in the colors of a brand. */
function faultsOf(brand: string, grounds: Grounds): string[] {
  const { act, actHover, onAct, actEdge, link } = brandColors(brand, grounds);
  const behindButtons = [...grounds.buttons, mix(link, grounds.buttons[0], 0.09)];
  return [
    ...(['#000000', '#ffffff'].includes(onAct) ? [] : [`${onAct} on buttons`]),
    ...[act, actHover].filter((fill) => contrast(fill, onAct) < 4.5).map((fill) => `${onAct} on ${fill}`),
    ...[...behindButtons, ...grounds.links]
      .filter((ground) => contrast(link, ground) < 4.5)
      .map((ground) => `link ${link} on ${ground}`),
    ...behindButtons
      .filter((ground) => contrast(actEdge, ground) < 3)
      .map((ground) => `edge ${actEdge} on ${ground}`),
  ].map((fault) => `${brand}: ${fault}`);
}

describe('the colors of a brand', () => {
  for (const [name, grounds] of all) {
    test(`reach 4.5:1 for text and 3:1 for edges on ${name}, for every brand color`, () => {
      assert.deepEqual(
        [...named, ...grid].flatMap((brand) => faultsOf(brand, grounds)),
        [],
      );
    });
  }

  test('are those of the operator where they can be read', () => {
    assert.deepEqual(brandColors('#1a56c4', pageGrounds.light), {
      act: '#1a56c4',
      actHover: brandColors('#1a56c4', pageGrounds.light).actHover,
      onAct: '#ffffff',
      actEdge: '#1a56c4',
      link: '#1a56c4',
    });
    // A vivid light color stays: its label is black, and its edge is darker.
    const yellow = brandColors('#ffd400', pageGrounds.light);
    assert.deepEqual([yellow.act, yellow.onAct], ['#ffd400', '#000000']);
    assert.notEqual(yellow.actEdge, yellow.act);
    assert.equal(brandColors('#ffd400', pageGrounds.dark).act, '#ffd400');
    // Black and white change places on the ground of the same lightness.
    const [white, black] = [
      brandColors('#ffffff', pageGrounds.light),
      brandColors('#000000', pageGrounds.dark),
    ];
    assert.deepEqual(
      [white.act, white.onAct, black.act, black.onAct],
      ['#000000', '#ffffff', '#ffffff', '#000000'],
    );
  });

  test('are explained where they were changed', () => {
    assert.match(
      brandNotes('#ffd400').join('\n'),
      /light ground: the edge of buttons is #\w{6}, links are #\w{6}/,
    );
    assert.match(
      brandNotes('#000000').join('\n'),
      /^#000000 is too close to the dark ground: buttons are #\w{6}/,
    );
  });

  test('contrast and mix compute what CSS and WCAG define', () => {
    assert.equal(contrast('#000000', '#ffffff').toFixed(2), '21.00');
    assert.equal(contrast('#777777', '#ffffff').toFixed(2), '4.48');
    assert.equal(mix('#1a56c4', '#ffffff', 1), '#1a56c4');
    assert.equal(mix('#000000', '#ffffff', 0.5), '#636363'); // color-mix(in oklab, black, white)
  });
});

/** Values of custom properties in a part of style.css. */
function valuesIn(text: string): (name: string) => string {
  return (name) => {
    const value = new RegExp(`--${name}:\\s*(#\\w+);`).exec(text)?.[1] ?? assert.fail(name);
    return value.length === 4 ? value.replaceAll(/\w/g, '$&$&') : value;
  };
}

test('the grounds are those of the style sheets of pages and mails', () => {
  const [light = '', dark = ''] = css.split('@media (prefers-color-scheme: dark)');
  for (const [text, grounds] of [
    [light, pageGrounds.light],
    [dark, pageGrounds.dark],
  ] as const) {
    const value = valuesIn(text);
    assert.deepEqual(grounds.buttons, [value('sheet'), value('ground')]);
    assert.deepEqual(grounds.links, [value('good-ground'), value('bad-ground')]);
  }
  assert.match(css, /--soft: color-mix\(in oklab, var\(--link\) 9%, var\(--sheet\)\)/);
  const [lightMail = '', darkMail = ''] = styleSheet.split('@media (prefers-color-scheme: dark)');
  const groundsIn = (text: string): string[] =>
    [...text.matchAll(/^ *background: (#\w{6});(?!\n +border-radius: 8px)/gm)].map(([, value = '']) => value);
  assert.deepEqual(groundsIn(lightMail), mailGrounds.light.buttons.toReversed());
  assert.deepEqual(groundsIn(darkMail), mailGrounds.dark.buttons.toReversed());
});
