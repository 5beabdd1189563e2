// What is asked of a page in the browser; each answer is a list, of complaints or of what is there.
// The tests read this file and call one function at a time.
({
    // Everything unfolded, so that it is looked at too; images, when they have been loaded.
    async prepare() {
        for (const one of document.querySelectorAll("details"))
            one.open = true;
        const style = document.createElement("style"); // all moments of a recording
        style.textContent = ".frame, .js .frames .frame { display: block !important; }";
        document.documentElement.append(style);
        const broken = [];
        for (const image of document.images) {
            image.loading = "eager";
            await image.decode().catch(() => broken.push("no image: " + image.src));
            if (!image.alt)
                broken.push("an image without a text: " + image.src);
        }
        return broken;
    },

    // Wider than the window? Then what sticks out, unless something around it scrolls or clips.
    overflow() {
        const root = document.documentElement, width = root.clientWidth;
        if (root.scrollWidth <= width && innerWidth <= Math.max(width, screen.width))
            return [];
        const out = [];
        const contained = one => {
            for (let at = one.parentElement; at && at !== document.body; at = at.parentElement)
                if (getComputedStyle(at).overflowX !== "visible")
                    return true;
            return false;
        };
        for (const one of document.body.querySelectorAll("*"))
            if (one.getBoundingClientRect().right > width + 0.5 && !contained(one))
                out.push(
                    `${one.localName}.${one.className}: ${one.textContent.trim().slice(0, 60)}`);
        return [ `${root.scrollWidth} pixels wide, of ${width}`, ...out.slice(0, 5) ];
    },

    links() { return [...document.querySelectorAll("a[href]") ].map(a => a.href); },
    names() { return [...document.querySelectorAll("[id]") ].map(one => one.id); },
    // All that a browser fetches to show the page.
    parts() {
        const named =
            [...document.querySelectorAll("[src], link[href]") ].map(one => one.src || one.href);
        return [...named, ...performance.getEntriesByType("resource").map(one => one.name) ];
    },

    // Text that does not stand out from what is behind it: WCAG 2.2, 1.4.3.
    contrast() {
        const colour = text => {
            const parts = /^rgba?\(([^)]+)\)$/.exec(text);
            if (!parts)
                throw new Error("not a colour that is understood: " + text);
            const [r, g, b, a = 1] = parts[1].split(/[\s,\/]+/).map(Number);
            return {r, g, b, a};
        };
        const over = (top, below) => {
            const mix = part => top[part] * top.a + below[part] * (1 - top.a);
            return {r : mix("r"), g : mix("g"), b : mix("b"), a : 1};
        };
        const light = ({r, g, b}) => {
            const part = value =>
                (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
            return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
        };
        const ratio = (one, other) => {
            const [low, high] = [ light(one), light(other) ].sort((a, b) => a - b);
            return (high + 0.05) / (low + 0.05);
        };
        const grounds = new Map(); // by element
        const behind = element => {
            if (!element)
                return { r: 255, g: 255, b: 255, a: 1 };
            if (!grounds.has(element)) {
                const below = behind(element.parentElement);
                grounds.set(element, element instanceof SVGElement
                    ? below : over(colour(getComputedStyle(element).backgroundColor), below));
            }
            return grounds.get(element);
        };
        const complaints = new Set();
        const judge = (text, front, back, least) => {
            const got = ratio(over(front, back), back);
            if (got < least)
                complaints.add(`${got.toFixed(2)} of ${least}: "${text.trim().slice(0, 50)}"`);
        };
        const texts = document.createTreeWalker(document.body || document.documentElement,
                                                NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
            const text = texts.currentNode, element = text.parentElement;
            if (!text.data.trim() || element instanceof SVGElement || !element.checkVisibility())
                continue;
            const style = getComputedStyle(element), size = parseFloat(style.fontSize);
            const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
            judge(text.data, colour(style.color), behind(element), large ? 3 : 4.5);
        }
        // In a picture, what is behind a text is the last shape before it that is under its middle.
        for (const picture of document.querySelectorAll("svg")) {
            const shapes = [];
            for (const one of picture.querySelectorAll("rect, text")) {
                const box = one.getBoundingClientRect(), style = getComputedStyle(one);
                if (one.localName === "rect") {
                    if (style.fill !== "none")
                        shapes.push([ box, colour(style.fill) ]);
                    continue;
                }
                const x = box.x + box.width / 2, y = box.y + box.height / 2;
                const under = shapes.filter(([ b ]) => b.left <= x && x <= b.right && b.top <= y &&
                                                       y <= b.bottom);
                let back = behind(picture);
                for (const [, fill] of under)
                    back = over(fill, back);
                if (one.textContent.trim())
                    judge(one.textContent, colour(style.fill), back, 4.5);
            }
        }
        return [...complaints ];
    },
})
