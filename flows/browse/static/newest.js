// Requests that a page makes again while one is on its way: what was asked first may be answered last, and is old then.

/** A function that makes a request and gives the answer to the newest one, which all that are on their way wait for. */
export function newest(request) {
  let last = null;
  return async () => {
    let mine = (last = request());
    for (;;) {
      try {
        const value = await mine;
        if (mine === last) return value;
      } catch (error) {
        if (mine === last) throw error;
      }
      mine = last;
    }
  };
}
