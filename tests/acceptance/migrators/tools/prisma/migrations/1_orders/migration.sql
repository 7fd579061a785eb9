-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "billing";

-- CreateEnum
CREATE TYPE "billing"."State" AS ENUM ('OPEN', 'DONE');

-- CreateTable
CREATE TABLE "billing"."Order" (
    "id" SERIAL NOT NULL,
    "note" TEXT NOT NULL,
    "state" "billing"."State" NOT NULL,

    CONSTRAINT "Order_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "Order_state_idx" ON "billing"."Order"("state");
