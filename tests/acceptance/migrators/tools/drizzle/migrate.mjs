// What `drizzle-kit migrate` calls, and what an application calls when it starts.
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate } from "drizzle-orm/node-postgres/migrator";

const db = drizzle(process.env.DATABASE_URL);
await migrate(db, { migrationsFolder: "migrations" });
await db.$client.end();
