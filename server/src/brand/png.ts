// Encodes a plain picture as PNG, for the icon of a home screen, which cannot be an SVG file.
import { crc32, deflateSync } from 'node:zlib';

interface Dot {
  /** Width and height in pixels. */
  readonly size: number;
  readonly radius: number;
  /** `#rrggbb` */
  readonly color: string;
  readonly ground: string;
}

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** Returns a PNG picture of a dot in the middle of a square. */
export function encodeDot({ size, radius, color, ground }: Dot): Buffer {
  const [inner, outer] = [Buffer.from(color.slice(1), 'hex'), Buffer.from(ground.slice(1), 'hex')];
  const rowBytes = 1 + size * 3; // a row begins with the type of its filter, 0 for none
  const pixels = Buffer.alloc(rowBytes * size);
  for (let y = 0; y < size; y += 1)
    for (let x = 0; x < size; x += 1) {
      const distance = Math.hypot(x + 0.5 - size / 2, y + 0.5 - size / 2);
      const share = Math.min(1, Math.max(0, radius - distance + 0.5)); // smooths the edge
      for (let i = 0; i < 3; i += 1)
        pixels[y * rowBytes + 1 + x * 3 + i] = Math.round(
          (inner[i] ?? 0) * share + (outer[i] ?? 0) * (1 - share),
        );
    }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  header.set([8, 2], 8); // 8 bits per channel, red, green and blue
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(pixels)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** A chunk: length, type, data, and a checksum (PNG third edition §5.3). */
function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}
