-- AlterEnum
ALTER TYPE "billing"."State" ADD VALUE 'VOID';

-- CreateTable
CREATE TABLE "app"."Account" (
    "id" SERIAL NOT NULL,
    "name" TEXT NOT NULL,

    CONSTRAINT "Account_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "Account_name_key" ON "app"."Account"("name");
