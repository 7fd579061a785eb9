// Prisma's engine as WebAssembly, which is in the npm package; the native one would be fetched from elsewhere.
import { PrismaPg } from "@prisma/adapter-pg";

// The timer that bounds the wait for the advisory lock would hold the process for ten seconds after the work is done.
const { setTimeout } = globalThis;
globalThis.setTimeout = (work, delay, ...rest) => {
  const timer = setTimeout(work, delay, ...rest);
  return delay >= 10_000 ? timer.unref() : timer;
};

export default {
  schema: "schema.prisma",
  migrations: { path: "migrations" },
  engine: "js",
  experimental: { adapter: true },
  // Without a schema it is `public`, which is closed to tenants. In a connection string it is `?schema=app`.
  adapter: async () =>
    new PrismaPg({ connectionString: process.env.DATABASE_URL, allowExitOnIdle: true }, { schema: "app" }),
};
