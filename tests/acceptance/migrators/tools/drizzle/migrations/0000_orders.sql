CREATE TYPE "state" AS ENUM('open', 'done');
--> statement-breakpoint
CREATE TABLE "orders" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
	"note" text NOT NULL,
	"state" "state" NOT NULL
);
--> statement-breakpoint
CREATE INDEX "orders_state" ON "orders" USING btree ("state");
