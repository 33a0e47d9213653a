// Assignment to canaries and experiments (lookup/nightshelf/contract/__init__.py), by Node's crypto.
import { createHash } from "node:crypto";

const hashed = (salt, user) => createHash("sha256").update(`${salt}:${user}`).digest().readUInt32BE();

export const inCanary = (user, { generation, share }) => hashed(generation, user) * 100 < share * 2 ** 32;

export const bucket = (salt, user) => Math.floor((hashed(salt, user) * 10_000) / 2 ** 32);

const hold = (ranges, number) => ranges.some(([first, end]) => first <= number && number < end);

const runs = ({ status, start, end }, at) =>
  status === "running" && !(start && at < Date.parse(start)) && !(end && at >= Date.parse(end));

// The experiment, phase, variant and model of a user; undefined outside every experiment.
export function assigned(experiments, user, at = Date.now()) {
  for (const { id, phase, traffic, variants, ...times } of experiments ?? []) {
    if (runs(times, at) && hold(traffic, bucket(`${id}:traffic`, user))) {
      const drawn = bucket(`${id}:variant`, user);
      const { name, model } = variants.find(({ buckets }) => hold(buckets, drawn)) ?? variants[0];
      return { experiment: id, phase, variant: name, model };
    }
  }
}
