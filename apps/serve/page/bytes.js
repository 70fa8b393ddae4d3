// Bytes in the text of the page.
// @ts-check

/** @param {string} text base64 @returns {Uint8Array<ArrayBuffer>} */
function bytesOfBase64(text) {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

/** @param {string} name @returns {any} the JSON that the page holds under a name; null: none */
export function embeddedJson(name) {
  const element = document.getElementById(`elbo-${name}`);
  return element ? JSON.parse(element.textContent ?? "null") : null;
}

/** @param {string} name @returns {Promise<ArrayBuffer|null>} the bytes that the page holds under a name */
export async function embeddedBytes(name) {
  const element = document.getElementById(`elbo-${name}`);
  if (!element) return null;
  const packed = new Blob([bytesOfBase64(element.textContent ?? "")]);
  element.textContent = ""; // the text is not needed any more
  return new Response(packed.stream().pipeThrough(new DecompressionStream("deflate"))).arrayBuffer();
}
