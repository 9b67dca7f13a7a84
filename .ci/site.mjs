// Opens each page of a folder in Chromium. Arguments: the browser, the folder, and where to put screenshots of the first page.

import { chromium } from "playwright-core";
import { mkdirSync, readdirSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const [browserPath, folder, screenshots] = process.argv.slice(2);
const site = resolve(folder);
const SCREENS = { phone: { width: 360, height: 740 }, desk: { width: 1280, height: 900 } };
const SCHEMES = ["light", "dark"];
const API = "api/"; // written by javadoc, which decides how it looks: opened once
const LEAST_CONTRAST = 4.5; // WCAG 2.2, level AA, for text of ordinary size

const pages = readdirSync(site, { recursive: true }).filter((file) => file.endsWith(".html")).sort();
if (!pages.includes("index.html")) {
  console.error(`no index.html: folder=${site}`);
  process.exit(1);
}

/** Runs in the page: what is wider than the screen, and text that hardly stands out from what is behind it. */
function look(leastContrast) {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([red, green, blue]) => {
    const linear = (part) => (part <= 10.31475 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) {
        return colour;
      }
    }
    return rgba("Canvas");
  };
  const found = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) {
    found.push(`${root.scrollWidth} pixels wide on a screen of ${root.clientWidth}`);
  }
  const faint = new Set();
  for (const element of document.body.querySelectorAll("*")) {
    const text = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (!text || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) {
      continue;
    }
    const [light, dark] = [luminance(rgba(getComputedStyle(element).color)), luminance(behind(element))].sort((a, b) => b - a);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < leastContrast) {
      faint.add(`${element.localName}${element.className && "." + element.className} has a contrast of ${contrast.toFixed(1)}`);
    }
  }
  found.push(...faint);
  return {
    found,
    background: luminance(behind(document.body)),
    ids: [...document.querySelectorAll("[id], a[name]")].flatMap((one) => [one.id, one.name].filter(Boolean)),
    links: [...document.querySelectorAll("a[href]")].map((one) => one.href),
  };
}

const problems = [];
const targets = new Map(); // the address of a page, and what can be named in it
const links = []; // [page, address]
let views = 0;

const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
mkdirSync(screenshots, { recursive: true });
for (const [screen, viewport] of Object.entries(SCREENS)) {
  for (const colorScheme of SCHEMES) {
    const context = await browser.newContext({ viewport, colorScheme, offline: true });
    for (const file of pages) {
      const ours = !file.startsWith(API);
      if (!ours && (screen !== "desk" || colorScheme !== "light")) {
        continue;
      }
      const address = pathToFileURL(join(site, file)).href;
      const report = (what) => problems.push(`${file} (${screen}, ${colorScheme}): ${what}`);
      const page = await context.newPage();
      page.on("console", (message) => {
        if (["error", "warning"].includes(message.type())) {
          report(message.text());
        }
      });
      page.on("pageerror", (error) => report(error.message));
      page.on("requestfailed", (request) => report(`cannot load ${request.url()}`));
      await page.goto(address);
      const seen = await page.evaluate(look, LEAST_CONTRAST);
      if (ours) {
        seen.found.forEach(report);
      }
      if (colorScheme === "dark" && seen.background > 0.2) {
        report("is not dark");
      }
      if (!targets.has(address)) {
        targets.set(address, new Set(seen.ids));
        links.push(...seen.links.map((link) => [file, link]));
      }
      if (file === "index.html") {
        await page.screenshot({ path: join(screenshots, `${screen}-${colorScheme}.png`) });
      }
      await page.close();
      views++;
    }
    await context.close();
  }
}
await browser.close();

const files = new Set(readdirSync(site, { recursive: true }).map((file) => pathToFileURL(join(site, file)).href));
let inside = 0;
for (const [file, link] of links) {
  if (!link.startsWith("file:")) {
    continue; // another site's
  }
  inside++;
  const [address, fragment = ""] = link.split("#");
  if (!files.has(address)) {
    problems.push(`${file}: a link leads nowhere: ${relative(site, fileURLToPath(address))}`);
  } else if (fragment && targets.has(address) && !targets.get(address).has(decodeURIComponent(fragment))) {
    problems.push(`${file}: a link leads to no place of its page: ${relative(site, fileURLToPath(address))}#${fragment}`);
  }
}

problems.slice(0, 200).forEach((problem) => console.error(problem));
console.log(`${pages.length} pages, ${views} views, ${inside} links inside: ${problems.length} problems`);
process.exitCode = problems.length > 0 || inside === 0 ? 1 : 0;
