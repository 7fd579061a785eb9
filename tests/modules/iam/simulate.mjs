// Reads an array of simulations as JSON, writes an array of "Allowed", "ExplicitlyDenied" and "ImplicitlyDenied".
// A policy or request that is not valid ends it with an error.
import { readFileSync } from 'node:fs'
import { runSimulation } from '@cloud-copilot/iam-simulate'

const results = []
for (const simulation of JSON.parse(readFileSync(0, 'utf8'))) {
  const result = await runSimulation(simulation, {})
  if (result.resultType === 'error') {
    throw new Error(`${JSON.stringify(simulation.request)}: ${JSON.stringify(result.errors)}`)
  }
  results.push(result.overallResult)
}
process.stdout.write(JSON.stringify(results))
