// Runs an ONNX model over images and compares its logits with those of a file: node check-onnx.js NAME MODEL IMAGES LOGITS
const fs = require('fs')
const zlib = require('zlib')
const ort = require('onnxruntime-node')

const tolerance = 1e-5 // of the largest logit of an image

async function main([name, model, imageFile, logitFile]) {
  let idx = fs.readFileSync(imageFile)
  if (imageFile.endsWith('.gz')) idx = zlib.gunzipSync(idx)
  const count = idx.readUInt32BE(4)
  const pixels = idx.subarray(16)
  const bytes = fs.readFileSync(logitFile)
  const expected = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
  if (expected.length !== 10 * count) throw new Error(`expected ${10 * count} logits, found ${expected.length}`)

  const session = await ort.InferenceSession.create(model)
  let worst = 0, wrong = 0, sums = 0
  for (let first = 0, batch = 1; first < count; first += batch, batch = Math.min(999, count - first)) { // batches of 1, 999 and fewer
    const part = pixels.subarray(first * 784, (first + batch) * 784)
    const input = session.inputMetadata?.[0]?.type === 'float32' || process.env.FLOAT
      ? new ort.Tensor('float32', Float32Array.from(part, p => p / 255), [batch, 784])
      : new ort.Tensor('uint8', Uint8Array.from(part), [batch, 28, 28])
    const {logits, probabilities} = await session.run({images: input})
    for (let i = 0; i < batch; i++) {
      const found = logits.data.subarray(10 * i, 10 * i + 10)
      const right = expected.subarray(10 * (first + i), 10 * (first + i) + 10)
      const largest = Math.max(...right.map(Math.abs))
      for (let k = 0; k < 10; k++) worst = Math.max(worst, Math.abs(found[k] - right[k]) / largest)
      if (found.indexOf(Math.max(...found)) !== right.indexOf(Math.max(...right))) wrong++
      sums = Math.max(sums, Math.abs(probabilities.data.subarray(10 * i, 10 * i + 10).reduce((a, b) => a + b) - 1))
    }
  }
  console.log(`${name.padEnd(12)} ${count} images, predictions that differ: ${wrong}, largest relative difference of logits: ${worst.toExponential(1)}`)
  if (wrong > 0 || !(worst <= tolerance) || !(sums < 1e-5)) throw new Error('the model is not the same in ONNX Runtime')
}

main(process.argv.slice(2)).catch(error => { console.error(`check-onnx: ${error.message}`); process.exit(1) })
