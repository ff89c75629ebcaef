// Playwright's declarations name these DOM types; the project compiles without the DOM library.
interface Node {}
interface HTMLElement {}
interface SVGElement {}
interface HTMLElementTagNameMap {}
