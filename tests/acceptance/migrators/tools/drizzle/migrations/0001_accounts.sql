CREATE SCHEMA "billing";
--> statement-breakpoint
ALTER TYPE "state" ADD VALUE 'void';
--> statement-breakpoint
CREATE TABLE "billing"."accounts" (
	"id" serial PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	CONSTRAINT "accounts_name_unique" UNIQUE("name")
);
