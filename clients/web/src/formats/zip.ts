// Zip archives as NumPy writes them: members stored or deflated, read by the central directory;
// written stored. Knows bytes; not what is in them.

import { FileError } from "./errors";

const END = 0x06054b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const STORED = 0;
const DEFLATED = 8;

/** Members by name. Throws FileError for what is no such archive. */
export async function unzip(file: string, bytes: Uint8Array): Promise<Map<string, Uint8Array>> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== END) end--;
  if (end < 0) throw new FileError(file, "is no npz file (no zip archive); choose another");
  const members = new Map<string, Uint8Array>();
  try {
    let at = view.getUint32(end + 16, true);
    for (let count = view.getUint16(end + 10, true); count > 0; count--) {
      if (view.getUint32(at, true) !== CENTRAL) throw new RangeError("no central directory");
      const method = view.getUint16(at + 10, true);
      const size = view.getUint32(at + 20, true);
      const [nameSize, extraSize, noteSize] = [28, 30, 32].map((o) => view.getUint16(at + o, true));
      const local = view.getUint32(at + 42, true);
      const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameSize!));
      const data = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
      members.set(name, await unpacked(bytes.subarray(data, data + size), method));
      at += 46 + nameSize! + extraSize! + noteSize!;
    }
  } catch (error) {
    throw new FileError(file, `is damaged (${String(error)}); save or copy it again`);
  }
  return members;
}

async function unpacked(data: Uint8Array, method: number): Promise<Uint8Array> {
  if (method === STORED) return data;
  if (method !== DEFLATED) throw new RangeError(`compression ${method} is not known`);
  const stream = new Blob([data.slice()]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** An archive of members, not compressed. */
export function zip(members: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const [name, data] of members) {
    const label = new TextEncoder().encode(name);
    const crc = crc32(data);
    const local = header(30, label, [LOCAL, 4], [20, 2], [0, 2], [STORED, 2], [0, 2], [0x21, 2],
      [crc, 4], [data.length, 4], [data.length, 4], [label.length, 2], [0, 2]);
    const central = header(46, label, [CENTRAL, 4], [20, 2], [20, 2], [0, 2], [STORED, 2], [0, 2],
      [0x21, 2], [crc, 4], [data.length, 4], [data.length, 4], [label.length, 2], [0, 2], [0, 2],
      [0, 2], [0, 2], [0, 4], [offset, 4]);
    parts.push(local, data);
    directory.push(central);
    offset += local.length + data.length;
  }
  const size = directory.reduce((sum, entry) => sum + entry.length, 0);
  const count = members.size;
  const end = header(22, new Uint8Array(), [END, 4], [0, 2], [0, 2], [count, 2], [count, 2], [size, 4],
    [offset, 4], [0, 2]);
  return joined([...parts, ...directory, end]);
}

function header(size: number, label: Uint8Array, ...fields: [value: number, bytes: number][]): Uint8Array {
  const made = new Uint8Array(size + label.length);
  const view = new DataView(made.buffer);
  let at = 0;
  for (const [value, bytes] of fields) {
    if (bytes === 4) view.setUint32(at, value, true);
    else view.setUint16(at, value, true);
    at += bytes;
  }
  made.set(label, size);
  return made;
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc32(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = CRC_TABLE[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
