// What a browser says of itself. Each one claims to be several others, so the order counts.

const BROWSERS = [
  ["Edge", /\bEdgA?(?:iOS)?\/(\d+)/],
  ["Opera", /\bOPR\/(\d+)/],
  ["Samsung Internet", /\bSamsungBrowser\/(\d+)/],
  ["Firefox", /\b(?:Firefox|FxiOS)\/(\d+)/],
  ["Chrome", /\b(?:Chrome|CriOS)\/(\d+)/],
  ["Safari", /\bVersion\/(\d+)[\d.]* (?:Mobile\/\S+ )?Safari\//],
];

const SYSTEMS = [
  ["Windows", /\bWindows NT\b/],
  ["Android", /\bAndroid\b/],
  ["iOS", /\b(?:iPhone|iPad|iPod)\b/],
  ["macOS", /\bMac OS X\b/],
  ["ChromeOS", /\bCrOS\b/],
  ["Linux", /\bLinux\b/],
];

const BOT = /bot\b|crawler|spider|headless/i;

/** Returns browser, its version, system and device; null for what is not known. */
export function parseAgent(text) {
  const [browser = null, version = null] = first(BROWSERS, text);
  const [os = null] = first(SYSTEMS, text);
  return { browser, version: version && Number(version), os, device: deviceOf(text), isBot: BOT.test(text) };
}

/** Returns the first name whose pattern fits, and what it captured. */
function first(patterns, text) {
  for (const [name, pattern] of patterns) {
    const found = pattern.exec(text);
    if (found) return [name, found[1]];
  }
  return [];
}

function deviceOf(text) {
  if (/\biPad\b|\bTablet\b/.test(text) || (/\bAndroid\b/.test(text) && !/\bMobile\b/.test(text))) return "tablet";
  return /\bMobile\b|\biPhone\b/.test(text) ? "phone" : "desktop";
}
