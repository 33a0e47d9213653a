// Redis over a socket, with Node's standard library alone: one command after another.
import { connect } from "node:net";

const { hostname, port } = new URL(process.env.REDIS_URL);
const socket = connect(port, hostname).setEncoding("latin1"); // one character a byte
const arriving = socket[Symbol.asyncIterator]();
let buffer = "";

async function more() {
  const { value, done } = await arriving.next();
  if (done) throw new Error("Redis has closed the connection");
  buffer += value;
}

async function take(size) {
  while (buffer.length < size + 2) await more();
  const taken = buffer.slice(0, size);
  buffer = buffer.slice(size + 2); // and what ends it, \r\n
  return taken;
}

async function reply() {
  while (!buffer.includes("\r\n")) await more();
  const line = await take(buffer.indexOf("\r\n"));
  const size = Number(line.slice(1));
  if (line[0] === "$") return size < 0 ? null : Buffer.from(await take(size), "latin1").toString();
  if (line[0] !== "*") throw new Error(`Redis says ${line}`);
  const all = [];
  while (all.length < size) all.push(await reply());
  return all;
}

export function ask(...words) {
  const told = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  socket.write(`*${words.length}\r\n${told.join("")}`);
  return reply();
}

export const close = () => socket.destroy();
