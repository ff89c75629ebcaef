/** Where `npm start` and its like keep compiled code, seen from the root; for whoever starts the service as they do. */
export const COMPILE_CACHE = { NODE_COMPILE_CACHE: "node_modules/.cache/compile" };
